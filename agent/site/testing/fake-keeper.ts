/** A lease keeper whose answers a test sets. */
import type {
  Health,
  PublishInfo,
  SiteState,
  StatusResponse,
  SwitchResponse,
  VetoRequest,
} from '../../../infra/contract/agent-api';
import type { KeeperPort } from '../ports';

export class FakeKeeper implements KeeperPort {
  holder: string | null;
  leaseEpoch = 1;
  /** Writes refused for a hand-over, lease kept. */
  writesHeld = false;
  expired = false;
  siteState: SiteState | null = null;
  witnessHealth: Health = 'healthy';
  peerView: ReturnType<KeeperPort['peer']> = { health: 'healthy', state: 'standby', promotable: true };
  claim = false;
  readonly reprotected: PublishInfo[] = [];
  reprotecting = false;
  wakes = 0;

  constructor(
    readonly site: string,
    holder: string | null = site,
  ) {
    this.holder = holder;
  }

  isWritable(): boolean {
    return this.holds && !this.writesHeld;
  }

  state(): SiteState {
    if (this.siteState !== null) return this.siteState;
    return this.holds ? 'active' : 'standby';
  }

  lease(): { epoch: number; holder: string } | null {
    return this.holder === null ? null : { epoch: this.leaseEpoch, holder: this.holder };
  }

  writableForSeconds(): number | null {
    return this.holds ? 10 : null;
  }

  witness(): Health {
    return this.witnessHealth;
  }

  peer(): ReturnType<KeeperPort['peer']> {
    return this.peerView;
  }

  alertCodes: string[] = [];
  alerts(): readonly string[] {
    return this.alertCodes;
  }

  switchingView: StatusResponse['switching'] = { mode: 'automatic' };
  switching(): StatusResponse['switching'] {
    return this.switchingView;
  }

  readonly vetoes: VetoRequest[] = [];
  async veto(request: VetoRequest): Promise<void> {
    this.vetoes.push(request);
  }

  onPromise(): { granted: boolean; epoch: number } {
    return { granted: true, epoch: this.leaseEpoch };
  }

  wake(): void {
    this.wakes += 1;
  }

  async promote(): Promise<SwitchResponse> {
    this.holder = this.site;
    this.leaseEpoch += 1;
    return { epoch: this.leaseEpoch, holder: this.site };
  }

  async switch(): Promise<SwitchResponse> {
    return { epoch: this.leaseEpoch, holder: this.site };
  }

  async beginReprotect(): Promise<void> {
    this.reprotecting = true;
    this.siteState = 're-protecting';
  }

  async markReprotected(publish: PublishInfo): Promise<void> {
    this.reprotected.push(publish);
    this.siteState = null;
  }

  private get holds(): boolean {
    return this.holder === this.site && !this.expired;
  }
}
