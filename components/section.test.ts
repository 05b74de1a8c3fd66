import { applySection } from './section';
import { Server } from './server';
import { SERVER_ARGS } from './testing/host';
import { record } from './testing/recording';

describe('applySection', () => {
  it('refuses a spec that the agent would refuse, at preview', async () => {
    const bad = { publishIntervalSeconds: -1, applyIntervalSeconds: 60 };
    await expect(
      record(() => {
        const host = new Server('uk-1', SERVER_ARGS);
        applySection('timers-uk-1', host, 'timers', bad, { parent: host });
      }),
    ).rejects.toThrow(/publishIntervalSeconds/);
  });
});
