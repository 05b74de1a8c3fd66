/** The faults that can be drilled. A scenario is words for the fault command, or none: then the switch is the event. */
import { UsageError } from '../cli/errors';
import type { ContextSite } from '../cli/context';

export interface ScenarioFault {
  readonly words: readonly string[];
  readonly repair: readonly string[];
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** Against the active site; empty means a planned switch. */
  readonly faults: (active: ContextSite) => readonly ScenarioFault[];
}

/** A site's short name for a fault command: the first label of its host. */
export function siteLabel(site: ContextSite): string {
  return site.host.split('.')[0] ?? site.site;
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'region-loss',
    about: 'the active site loses power: every server of it is gone at once',
    faults: (active) => [{ words: ['kill', siteLabel(active)], repair: ['revive', siteLabel(active)] }],
  },
  {
    name: 'planned-switch',
    about: 'the operator hands over to the other site; the only one for production',
    faults: () => [],
  },
  {
    name: 'hung-engine',
    about: "the active site's vLLM hangs while its health endpoint goes on saying that all is well",
    faults: (active) =>
      active.servers.map((server) => ({
        words: ['stop-process', server, 'failover-vllm', 'EngineCore'],
        // The site may have restarted its engine, of which not every process need be there yet.
        repair: ['cont-process', server, 'failover-vllm'],
      })),
  },
];

export function scenarioNamed(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (found === undefined) {
    throw new UsageError(
      `there is no scenario ${name}; known: ${SCENARIOS.map((each) => each.name).join(', ')}`,
    );
  }
  return found;
}
