import { z } from 'zod';
import { SECTIONS, ServerSpec, type SectionName } from '../../infra/contract/site-spec';
import { checkHost } from './checks';
import { Converger, type ChangeLog } from './converge';
import { SpecInvalidError } from './errors';
import { Journal } from './journal';
import { createObjectStoreAdmin } from './object-store-admin';
import type { HostPort } from './port';
import { remove } from './remove';
import { applyAgent } from './sections/agent';
import type { SectionContext, Services } from './sections/context';
import { applyCredentials } from './sections/credentials';
import { applyDns } from './sections/dns';
import { applyEdge } from './sections/edge';
import { applyFirewall } from './sections/firewall';
import { applyInference } from './sections/inference';
import { applyObjectStore } from './sections/object-store';
import { applyLogs } from './sections/logs';
import { applyTimers } from './sections/timers';
import { applyVectors } from './sections/vectors';
import { settleUnits } from './service';
import { createWeights } from './weights';

const APPLY: Record<SectionName, (context: SectionContext) => Promise<void>> = {
  credentials: applyCredentials,
  firewall: applyFirewall,
  objectStore: applyObjectStore,
  dns: applyDns,
  vectors: applyVectors,
  inference: applyInference,
  agent: applyAgent,
  edge: applyEdge,
  timers: applyTimers,
  logs: applyLogs,
};

export const REAL_SERVICES: Services = { objectStore: createObjectStoreAdmin, weights: createWeights };

/** Reads the document; an error names every problem by its path and quotes no value. */
export function parseServerSpec(text: string): ServerSpec {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new SpecInvalidError(
      'standard input should hold one JSON document, the server spec, and is no JSON',
    );
  }
  const parsed = ServerSpec.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new SpecInvalidError(`the server spec has problems:\n${z.prettifyError(parsed.error)}`);
}

export interface ApplyOptions {
  /**
   * Every section that this server should have, where that is known: others that apply once made are removed first, without
   * their data. Absent, for documents that carry one section at a time: what they do not carry is left alone.
   */
  readonly sections?: readonly SectionName[];
}

/** Makes the server as the document says. Returns the number of changes. */
export async function apply(
  host: HostPort,
  document: ServerSpec,
  log: ChangeLog,
  services: Services = REAL_SERVICES,
  { sections = SECTIONS }: ApplyOptions = {},
): Promise<number> {
  await checkHost(host);
  let changes = 0;
  const counting: ChangeLog = {
    change(what) {
      changes += 1;
      log.change(what);
    },
  };
  // First, so that no unit of theirs is started again because a key that it reads went with it.
  for (const section of [...SECTIONS].reverse()) {
    if (sections.includes(section) || document[section] !== undefined) continue;
    await remove(host, section, counting, { keepData: true });
  }
  const journal = await Journal.open(host);
  for (const section of SECTIONS) {
    if (document[section] === undefined) continue;
    const converger = new Converger(host, journal, section, counting);
    await APPLY[section]({ converger, document, services });
  }
  await settleUnits(host, new Set(), (what) => counting.change(what));
  return changes;
}
