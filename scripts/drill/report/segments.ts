/** Turns single requests, answers and lease changes into the strips that a timeline shows. */
import { eventTime } from '../measure/stages';
import type { Attempt, ClientInfo, DrillRecord } from '../record';

/** What a strip is coloured by: a site's name, or one of the two that are not sites. */
export type Tone = { readonly site: string } | 'failed' | 'refused' | 'nothing';

export interface Segment {
  readonly from: number;
  readonly to: number;
  readonly tone: Tone;
  /** For the tooltip-less reader: how many requests it stands for, or what was answered. */
  readonly text: string;
}

export interface Strip {
  readonly label: string;
  readonly segments: readonly Segment[];
}

/** One strip for the lease, one for DNS, one for each client. */
export function stripsOf(record: DrillRecord): Strip[] {
  return [
    { label: 'lease', segments: leaseSegments(record) },
    { label: 'DNS answer', segments: dnsSegments(record) },
    ...record.clients.map((client) => ({
      label: client.name,
      segments: clientSegments(
        client,
        record.attempts.filter((attempt) => attempt.client === client.name),
      ),
    })),
  ];
}

/** Requests in a row that went the same way are one segment, which lasts until the next begins. */
export function clientSegments(client: ClientInfo, attempts: readonly Attempt[]): Segment[] {
  const ordered = [...attempts].sort((a, b) => a.start - b.start);
  const segments: Segment[] = [];
  let run: Attempt[] = [];
  const close = (until: number): void => {
    const first = run[0];
    const last = run.at(-1);
    if (first === undefined || last === undefined) return;
    segments.push({
      from: first.start,
      // A gap in the requests is a gap in the strip.
      to: Math.min(until, Math.max(last.end, last.start + client.periodMs)),
      tone: toneOf(client, first),
      text: `${run.length}`,
    });
    run = [];
  };
  for (const attempt of ordered) {
    const first = run[0];
    if (first !== undefined && !sameTone(toneOf(client, first), toneOf(client, attempt)))
      close(attempt.start);
    run.push(attempt);
  }
  close(Number.POSITIVE_INFINITY);
  return segments;
}

function toneOf(client: ClientInfo, attempt: Attempt): Tone {
  if (attempt.ok) return { site: attempt.site ?? 'unknown' };
  return client.kind === 'pinned' && attempt.status !== null ? 'refused' : 'failed';
}

export function sameTone(a: Tone, b: Tone): boolean {
  return typeof a === 'string' || typeof b === 'string' ? a === b : a.site === b.site;
}

function dnsSegments(record: DrillRecord): Segment[] {
  const end = record.marks.ended ?? record.dns.at(-1)?.at ?? 0;
  const servers = [...new Set(record.dns.map((change) => change.nameserver))];
  const changesOf = (server: string | undefined) =>
    record.dns.filter(({ nameserver }) => nameserver === server);
  // More nameservers than one: the strip shows the first that was there throughout; the stage waits for all of them.
  const shown =
    servers.find((server) => changesOf(server).every(({ error }) => error === null)) ?? servers[0];
  const changes = changesOf(shown);
  return changes.map((change, i) => ({
    from: change.at,
    to: changes[i + 1]?.at ?? end,
    tone: change.sites.length === 1 && change.sites[0] !== undefined ? { site: change.sites[0] } : 'nothing',
    text: change.error === null ? change.addresses.join(', ') : 'no answer',
  }));
}

/** From the events that tell the moment of a claim; what the watcher saw is up to a second late. */
function leaseSegments(record: DrillRecord): Segment[] {
  const end = record.marks.ended ?? 0;
  const changes = record.leases.map((change) => {
    const claimed = record.events.find(
      (event) => event.kind === 'claimed' && event.epoch === change.epoch && event.site === change.holder,
    );
    const at = claimed === undefined ? change.at : Math.min(change.at, eventTime(claimed, record.clockAhead));
    return { ...change, at };
  });
  return changes.map((change, i) => ({
    from: Math.max(change.at, record.marks.clientsStarted ?? change.at),
    to: changes[i + 1]?.at ?? end,
    tone: { site: change.holder },
    text: `#${change.epoch}`,
  }));
}
