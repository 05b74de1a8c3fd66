import { AGENT_PORT, type ErrorResponse, type SkippedResponse } from '../../infra/contract/agent-api';
import { AgentError } from '../shared/errors';
import { callLoopback } from './loopback-call';

class AgentRefusedError extends AgentError {
  readonly code = 'agent-refused';
}

const ACTIONS = {
  publish: { method: 'POST', path: '/failover/publish' },
  apply: { method: 'POST', path: '/failover/apply' },
  status: { method: 'GET', path: '/status' },
} as const;
export type CtlAction = keyof typeof ACTIONS;
export const CTL_ACTIONS = Object.keys(ACTIONS) as CtlAction[];

/**
 * Asks the local agent to do what a timer or a person on the server wants. Being the wrong site for it (409) is the normal
 * case on one of the two, so that is a success with a message.
 */
export async function ctl(
  action: CtlAction,
  operatorKey: string,
  port: number = AGENT_PORT,
): Promise<string> {
  const { method, path } = ACTIONS[action];
  const { status, body } = await callLoopback(port, method, path, operatorKey);
  if (status === 200) return body;
  if (status === 409 && isSkipped(body)) {
    const { skipped } = JSON.parse(body) as SkippedResponse;
    return `skipped: ${skipped.code}: ${skipped.message}`;
  }
  throw new AgentRefusedError(`the agent answered ${method} ${path} with ${status}: ${reasonOf(body)}`);
}

const isSkipped = (body: string): boolean => /^\s*\{\s*"skipped"\s*:\s*\{/.test(body);

function reasonOf(body: string): string {
  try {
    const { error } = JSON.parse(body) as ErrorResponse;
    return `${error.code}: ${error.message}`;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return body.slice(0, 500);
    throw error;
  }
}
