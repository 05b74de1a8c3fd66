import type { ChangeLog } from './converge';
import { HostUnsuitableError } from './errors';
import { credentialPath } from './paths';
import type { HostPort } from './port';
import { ACME_LIVE_DIRECTORY } from './sections/acme';
import { combinePem, DERIVED } from './sections/credentials';
import { settleUnits } from './service';

/** Last step of a renewal: the edge's certificate file from certbot's two, and a reload of what reads it if it is new. */
export async function installCertificate(host: HostPort, log: ChangeLog): Promise<number> {
  const [chain, key] = await Promise.all(
    ['fullchain.pem', 'privkey.pem'].map((name) => host.readFile(`${ACME_LIVE_DIRECTORY}/${name}`)),
  );
  if (!chain || !key) {
    throw new HostUnsuitableError(
      `${ACME_LIVE_DIRECTORY} holds no certificate yet: look at the journal of failover-acme`,
    );
  }
  const wanted = Buffer.from(combinePem(chain.toString('utf8'), key.toString('utf8')));
  const path = credentialPath(DERIVED.edgeTls);
  const current = await host.readFile(path);
  if (current?.equals(wanted)) return 0;
  await host.writeFile(path, wanted, 0o600, { uid: 0, gid: 0 });
  log.change(`wrote ${path}`);
  let changes = 1;
  await settleUnits(host, new Set(), (what) => {
    changes += 1;
    log.change(what);
  });
  return changes;
}
