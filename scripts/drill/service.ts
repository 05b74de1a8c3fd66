/** The service as a client reaches it, for a drill's own preparations and checks: by name, over DNS, with patience. */
import type { OperatorContext } from '../cli/context';
import { parseJson } from '../cli/context';
import { resolveAddresses } from '../cli/dns';
import { SiteFailedError, describe } from '../cli/errors';
import { header, httpRequest } from '../cli/http';
import { SITE_HEADER } from '../../infra/contract/agent-api';
import { clientKey } from './clients/clients';
import type { Call } from './clients/requests';
import type { DrillClock } from './clock';

export interface ServiceAnswer {
  readonly status: number;
  readonly site: string | null;
  readonly body: unknown;
}

export class Service {
  constructor(
    private readonly context: OperatorContext,
    private readonly clock: DrillClock,
    private readonly timeoutMs = 10_000,
  ) {}

  async once(call: Call, timeoutMs = this.timeoutMs): Promise<ServiceAnswer> {
    const { service, nameservers, caCertificate } = this.context;
    const { addresses } = await resolveAddresses(nameservers, service.host, 2_000);
    const answer = await httpRequest({
      ...call,
      host: service.host,
      port: service.port,
      ...(addresses[0] === undefined ? {} : { address: addresses[0] }),
      headers: clientKey(this.context),
      caCertificate,
      timeoutMs,
    });
    return { status: answer.status, site: header(answer.headers, SITE_HEADER), body: parseJson(answer.body) };
  }

  /** Repeats what may be repeated until it answers 200 (or one of `also`), for at most `patienceMs`. */
  async until200(
    call: Call,
    what: string,
    patienceMs: number,
    also: readonly number[] = [],
  ): Promise<ServiceAnswer> {
    const deadline = this.clock.now() + patienceMs;
    for (;;) {
      let why: string;
      try {
        const answer = await this.once(call);
        if (answer.status === 200 || also.includes(answer.status)) return answer;
        why = `${answer.site ?? 'the edge'} answered ${answer.status} ${JSON.stringify(answer.body ?? '').slice(0, 300)}`;
        if (answer.status >= 400 && answer.status < 500 && answer.status !== 429) {
          throw new SiteFailedError(`${what}: ${why}`);
        }
      } catch (error) {
        if (error instanceof SiteFailedError) throw error;
        why = describe(error);
      }
      if (this.clock.now() > deadline) throw new SiteFailedError(`${what} did not succeed: ${why}`);
      await this.clock.delay(500);
    }
  }
}
