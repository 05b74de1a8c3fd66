/** The faults that can be drilled. A scenario is words for the fault command, or none: then the switch is the event. */
import { UsageError } from '../cli/errors';
import type { ContextSite } from '../cli/context';

export interface ScenarioFault {
  readonly words: readonly string[];
  readonly repair: readonly string[];
  /** A fault that comes and goes: its command runs for so long. */
  readonly lastsSeconds?: number;
}

/** The world as it is when the drill begins. */
export interface Roles {
  readonly active: ContextSite;
  readonly standby: ContextSite;
  /** Longest that a fault which stands goes undetected. */
  readonly detectionSeconds: number;
  /** The server that leads the active site; its only one where there is no other. */
  readonly leader: string;
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** The service must move to the other site, or must stay where it is. */
  readonly expect: 'switch' | 'stay';
  /** How the switch comes about; names the stages and the budget that it is held against. */
  readonly cause: 'holder-lost' | 'holder-sick' | 'planned' | null;
  /** Requests that the fault ends at once; their last success tells when it happened. */
  readonly stops: 'everything' | 'inference' | 'writes';
  /** Empty means a planned switch, or a load. */
  readonly faults: (roles: Roles) => readonly ScenarioFault[];
  /** The active site has to have so many servers. @default 1 */
  readonly servers?: number;
  /** The service has to be whole again while the fault still stands; else once it is undone. */
  readonly outlived?: boolean;
  /** More completions at once than the engine can take. */
  readonly overloads?: boolean;
}

/** Where vLLM listens, on loopback. */
const ENGINE_PORT = 8000;

/** A site's short name for a fault command: the first label of its host. */
export function siteLabel(site: ContextSite): string {
  return site.host.split('.')[0] ?? site.site;
}

const onServers =
  (verb: string, repair: string | null, unit: string, pattern = '.') =>
  ({ active }: Roles): ScenarioFault[] =>
    active.servers.map((server) => ({
      words: [verb, server, unit, pattern],
      // What systemd starts again by itself needs no repair; the mending of cuts does no harm.
      repair: repair === null ? ['heal'] : [repair, server, unit, pattern],
    }));

/** The site may have restarted its engine by the time of the repair, of which not every process need be there yet. */
const hungEngine = ({ active }: Roles): ScenarioFault[] =>
  active.servers.map((server) => ({
    words: ['stop-process', server, 'failover-vllm', 'EngineCore'],
    repair: ['cont-process', server, 'failover-vllm'],
  }));

/** Hangs for longer than it goes on, yet never for long enough to be called stuck by that alone. */
const flappingEngine = ({ active, detectionSeconds }: Roles): ScenarioFault[] => {
  const [off, on, times] = [0.8 * detectionSeconds, 0.15 * detectionSeconds, 10];
  return active.servers.map((server) => ({
    words: [
      'flap-process',
      server,
      'failover-vllm',
      'EngineCore',
      off.toFixed(1),
      on.toFixed(1),
      String(times),
    ],
    repair: ['cont-process', server, 'failover-vllm'],
    lastsSeconds: (off + on) * times,
  }));
};

/** As long as a fault that must not lead to a switch stands, and well within what a check waits for. */
const slowEdge = ({ active, detectionSeconds }: Roles): ScenarioFault[] => {
  const [off, on] = [0.4, 0.1];
  const times = Math.ceil((3 * detectionSeconds) / (off + on));
  return active.servers.map((server) => ({
    words: ['flap-process', server, 'failover-edge', '.', String(off), String(on), String(times)],
    repair: ['cont-process', server, 'failover-edge'],
    lastsSeconds: (off + on) * times,
  }));
};

const cut =
  (verb: 'isolate' | 'isolate-in' | 'isolate-out') =>
  ({ active }: Roles): ScenarioFault[] => [{ words: [verb, siteLabel(active)], repair: ['heal'] }];

/** One server of several; the site goes on with the others. */
const serverLost = (name: string, about: string, lost: (roles: Roles) => string | undefined): Scenario => ({
  name,
  about,
  expect: 'stay',
  cause: null,
  stops: 'everything',
  servers: 2,
  outlived: true,
  faults: (roles) => {
    const server = lost(roles);
    return server === undefined ? [] : [{ words: ['kill', server], repair: ['revive', server] }];
  },
});

/** The witness's store is less than its contract promises; the sites go on by their promises. */
const store = (name: string, about: string, ...words: string[]): Scenario => ({
  name,
  about,
  expect: 'stay',
  cause: null,
  stops: 'everything',
  faults: () => [{ words, repair: ['store-mend'] }],
});

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'region-loss',
    about: 'the active site loses power: every server of it is gone at once',
    expect: 'switch',
    cause: 'holder-lost',
    stops: 'everything',
    faults: ({ active }) => [{ words: ['kill', siteLabel(active)], repair: ['revive', siteLabel(active)] }],
  },
  {
    name: 'planned-switch',
    about: 'the operator hands over to the other site; the only one for production',
    expect: 'switch',
    cause: 'planned',
    stops: 'everything',
    faults: () => [],
  },
  {
    name: 'hung-engine',
    about: "the active site's vLLM hangs while its health endpoint goes on saying that all is well",
    expect: 'switch',
    cause: 'holder-sick',
    stops: 'inference',
    faults: hungEngine,
  },
  {
    name: 'engine-loss',
    about: "the active site's vLLM dies and fails at each start; its edge passes completions on meanwhile",
    expect: 'switch',
    cause: 'holder-sick',
    stops: 'inference',
    faults: ({ active }) =>
      active.servers.map((server) => ({
        words: ['break-unit', server, 'failover-vllm'],
        repair: ['mend-unit', server, 'failover-vllm'],
      })),
  },
  {
    name: 'flapping-engine',
    about: 'vLLM hangs and goes on, again and again, never for long: one switch, and no switch back',
    expect: 'switch',
    cause: 'holder-sick',
    stops: 'inference',
    faults: flappingEngine,
  },
  {
    name: 'half-failing',
    about: "every second request to the active site's vLLM fails, checks and clients' alike",
    expect: 'switch',
    cause: 'holder-sick',
    stops: 'inference',
    faults: ({ active }) =>
      active.servers.map((server) => ({
        words: ['flaky-port', server, String(ENGINE_PORT)],
        repair: ['steady-port', server],
      })),
  },
  {
    name: 'slow-primary',
    about: "the active site's edge stands still for 0.4 s of every half second: slow is not gone",
    expect: 'stay',
    cause: null,
    stops: 'everything',
    faults: slowEdge,
  },
  {
    name: 'saturated-engine',
    about: 'more completions than the active site can answer in time: slow is not stuck',
    expect: 'stay',
    cause: null,
    stops: 'inference',
    overloads: true,
    faults: () => [],
  },
  {
    name: 'edge-loss',
    about: "the active site's edge accepts connections and answers nothing; all else there is well",
    expect: 'switch',
    cause: 'holder-sick',
    stops: 'everything',
    faults: onServers('stop-process', 'cont-process', 'failover-edge'),
  },
  {
    name: 'agent-crash',
    about: "the active site's agent is killed; systemd starts it again within the lease's time",
    expect: 'stay',
    cause: null,
    stops: 'writes',
    faults: onServers('kill-process', null, 'failover-agent'),
  },
  {
    name: 'agent-pause',
    about:
      'the active agent stands still for longer than its lease lives, then goes on as if nothing had been',
    expect: 'switch',
    cause: 'holder-lost',
    stops: 'writes',
    faults: onServers('stop-process', 'cont-process', 'failover-agent'),
  },
  serverLost(
    'server-loss',
    'the server that leads the active site loses power; another leads, and the site stays active',
    ({ leader }) => leader,
  ),
  serverLost(
    'follower-loss',
    'a server of the active site that does not lead it loses power; the site stays active',
    ({ active, leader }) => active.servers.find((server) => server !== leader),
  ),
  {
    name: 'witness-loss',
    about: 'the witness loses power: the sites go on by their promises',
    expect: 'stay',
    cause: null,
    stops: 'everything',
    faults: () => [{ words: ['kill', 'witness'], repair: ['revive', 'witness'] }],
  },
  {
    name: 'partition-sites',
    about: 'the sites do not see each other; both see the witness',
    expect: 'stay',
    cause: null,
    stops: 'everything',
    faults: ({ active, standby }) => [
      { words: ['partition', siteLabel(active), siteLabel(standby)], repair: ['heal'] },
    ],
  },
  {
    name: 'partition-witness',
    about: 'the active site does not see the witness; the other site sees both',
    expect: 'stay',
    cause: null,
    stops: 'everything',
    faults: ({ active }) => [{ words: ['partition', siteLabel(active), 'witness'], repair: ['heal'] }],
  },
  {
    name: 'isolate',
    about: 'the active site is cut off from everything, its servers running',
    expect: 'switch',
    cause: 'holder-lost',
    stops: 'everything',
    faults: cut('isolate'),
  },
  {
    name: 'isolate-in',
    about: 'nothing gets into the active site; what it sends still arrives',
    expect: 'switch',
    cause: 'holder-lost',
    stops: 'everything',
    faults: cut('isolate-in'),
  },
  {
    name: 'isolate-out',
    about: 'nothing gets out of the active site; what is sent to it still arrives',
    expect: 'switch',
    cause: 'holder-lost',
    stops: 'everything',
    faults: cut('isolate-out'),
  },
  // Longer than a request to the store waits: each is given up, and its write happens afterwards.
  store('store-slow', "the witness's store answers after 2 s, too late for every request", 'store-slow', '2'),
  store(
    'store-errors',
    "the witness's store answers 500 and 503, and does half of what it is told",
    'store-errors',
  ),
  store('store-stale', "the witness's store shows the lease as it was 5 s ago", 'store-stale', '5'),
  store(
    'store-lost-write',
    "the witness's store acknowledges renewals and forgets them",
    'store-lost-write',
    '1',
  ),
];

/** Of a record; one with a name that is not known any more is taken for the commonest kind. */
export function scenarioOf(record: { readonly scenario: string }): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === record.scenario);
  return (
    found ?? {
      name: record.scenario,
      about: '',
      expect: 'switch',
      cause: null,
      stops: 'everything',
      faults: () => [],
    }
  );
}

/** Does it break anything? Only what does not may be drilled without a fault command. */
export const isHarmless = (scenario: Scenario): boolean => scenario.cause === 'planned';

export function scenarioNamed(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (found === undefined) {
    throw new UsageError(
      `there is no scenario ${name}; known: ${SCENARIOS.map((each) => each.name).join(', ')}`,
    );
  }
  return found;
}
