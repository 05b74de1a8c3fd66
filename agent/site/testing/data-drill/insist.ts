const PATIENCE_SECONDS = 60;
const PAUSE_MS = 50;

/** Tries until there is nothing to say against it; after long enough, fails with what was said last. */
export async function insist(what: string, attempt: () => Promise<string | null>): Promise<void> {
  const endsAt = Date.now() + PATIENCE_SECONDS * 1000;
  for (;;) {
    const objection = await attempt();
    if (objection === null) return;
    if (Date.now() > endsAt) throw new Error(`not within ${PATIENCE_SECONDS} s: ${what} (${objection})`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
