/** One alert as PagerDuty, Opsgenie, Slack and everybody else want it, and the request that takes it there. */
import { Agent } from 'undici';
import type { AlertSeverity } from '../../../infra/contract/agent-api';
import { type AlertTargetSpec, isSafeUrl } from '../../../infra/contract/outward-spec';
import { AgentError } from '../../shared/errors';
import { codeOf, messageOf } from '../errors';
import type { Action, Entry } from './outbox';

export interface AlertOrigin {
  readonly site: string;
  readonly siteHost: string;
}

export interface AlertMessage {
  readonly action: Action;
  readonly entry: Entry;
}

export interface WebhookRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** The target will never take this message. */
export class AlertRefusedError extends AgentError {
  readonly code = 'ALERT_REFUSED';
}

/** The target did not take it this time; with a wrong key it never will, but a message is not to blame for that. */
export class AlertUndeliveredError extends AgentError {
  readonly code = 'ALERT_UNDELIVERED';
  constructor(
    message: string,
    readonly retryAfterMs: number | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const CLIENT = 'failover-agent';
const PRIORITY: Readonly<Record<AlertSeverity, string>> = {
  critical: 'P1',
  error: 'P2',
  warning: 'P3',
  info: 'P5',
};
/** Bounds of the targets' own, in characters. */
const PAGERDUTY_SUMMARY = 1024;
const OPSGENIE_MESSAGE = 130;
const OPSGENIE_DESCRIPTION = 15_000;
const SLACK_TEXT = 4_000;

/** The same for every message of one alert, so that targets keep them together. */
export const dedupKey = ({ site }: AlertOrigin, { key }: Entry): string => `failover:${site}:${key}`;

/**
 * @param secret of PagerDuty and Opsgenie a key, of the others the address itself
 */
export function webhookRequest(
  target: AlertTargetSpec,
  secret: string,
  origin: AlertOrigin,
  message: AlertMessage,
): WebhookRequest {
  switch (target.kind) {
    case 'pagerduty':
      return pagerDuty(target.url, secret, origin, message);
    case 'opsgenie':
      return opsgenie(target.url, secret, origin, message);
    case 'slack':
      return { url: secret, headers: {}, body: { text: slackText(message) } };
    case 'generic':
      return { url: secret, headers: {}, body: generic(origin, message) };
  }
}

function pagerDuty(
  url: string,
  key: string,
  origin: AlertOrigin,
  { action, entry }: AlertMessage,
): WebhookRequest {
  const event = { routing_key: key, event_action: action, dedup_key: dedupKey(origin, entry) };
  if (action === 'resolve') return { url, headers: {}, body: event };
  const payload = {
    summary: cut(entry.summary, PAGERDUTY_SUMMARY),
    source: origin.siteHost,
    severity: entry.severity,
    timestamp: entry.since,
    component: CLIENT,
    group: origin.site,
    class: entry.key,
    custom_details: { detail: entry.detail, epoch: entry.epoch },
  };
  return { url, headers: {}, body: { ...event, client: CLIENT, payload } };
}

function opsgenie(
  url: string,
  key: string,
  origin: AlertOrigin,
  { action, entry }: AlertMessage,
): WebhookRequest {
  const alias = dedupKey(origin, entry);
  const headers = { authorization: `GenieKey ${key}` };
  if (action === 'resolve')
    return {
      url: `${url}/${encodeURIComponent(alias)}/close?identifierType=alias`,
      headers,
      body: { source: CLIENT, note: `Over since ${entry.over ?? 'just now'}` },
    };
  return {
    url,
    headers,
    body: {
      message: cut(entry.summary, OPSGENIE_MESSAGE),
      alias,
      description: cut(entry.detail, OPSGENIE_DESCRIPTION),
      entity: origin.siteHost,
      source: CLIENT,
      priority: PRIORITY[entry.severity],
      tags: ['failover', origin.site],
      details: { class: entry.key, epoch: String(entry.epoch ?? 'none'), since: entry.since },
    },
  };
}

function slackText({ action, entry }: AlertMessage): string {
  const { severity, summary, detail, since, over } = entry;
  const text =
    action === 'trigger'
      ? `*${severity.toUpperCase()}* ${slackEscaped(summary)}\n${slackEscaped(detail)}\nsince ${since}`
      : `*OVER* ${slackEscaped(summary)}\nfrom ${since} to ${over ?? 'now'}`;
  return cut(text, SLACK_TEXT);
}

/** Slack takes these three for markup. */
function slackEscaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function generic(origin: AlertOrigin, { action, entry }: AlertMessage): object {
  const { key, severity, summary, detail, since, over, epoch } = entry;
  return {
    version: 1,
    action,
    dedupKey: dedupKey(origin, entry),
    ...origin,
    key,
    severity,
    summary,
    detail,
    since,
    over: action === 'resolve' ? over : null,
    epoch,
  };
}

const cut = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, most - 1)}…`;

/** Bodies that a target would not take from anybody; after all other answers the same message may go through later. */
const NEVER = new Set([400, 413, 422]);

/** Sends to one target. No message of an error has the address or the key in it. */
export class WebhookSender {
  private readonly agent = new Agent({ connections: 1, connect: { timeout: 5_000 } });

  constructor(
    private readonly target: AlertTargetSpec,
    private readonly secret: string,
    private readonly origin: AlertOrigin,
    private readonly timeoutMs: number,
  ) {}

  async send(message: AlertMessage): Promise<void> {
    const { kind } = this.target;
    const { url, headers, body } = webhookRequest(this.target, this.secret, this.origin, message);
    const { status, retryAfter, text } = await this.post(url, headers, body);
    if (status >= 200 && status <= 299) return;
    const answer = `${kind} answered ${status}: ${text.slice(0, 200).replaceAll(this.secret, '[hidden]')}`;
    if (NEVER.has(status)) throw new AlertRefusedError(answer);
    const seconds = Number(retryAfter);
    throw new AlertUndeliveredError(answer, seconds > 0 ? seconds * 1000 : null);
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  private async post(address: string, headers: Readonly<Record<string, string>>, body: unknown) {
    // Not checked at the start: a wrong address must not keep the agent from starting.
    if (!isSafeUrl(address))
      throw new AlertUndeliveredError(
        `${this.target.kind} was not asked: its address is not an https:// one`,
      );
    try {
      const url = new URL(address);
      const response = await this.agent.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(this.timeoutMs),
      });
      const text = await response.body.text();
      const retryAfter = response.headers['retry-after'];
      return { status: response.statusCode, retryAfter, text };
    } catch (error) {
      // Without the cause: it may quote the address, which is the key.
      const reason =
        error instanceof TypeError ? 'its address is not one' : `${codeOf(error)}: ${messageOf(error)}`;
      throw new AlertUndeliveredError(
        `${this.target.kind} was not reached (${reason.replaceAll(this.secret, '[hidden]')})`,
      );
    }
  }
}
