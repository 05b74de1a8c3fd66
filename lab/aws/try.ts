import { ExampleWorld } from './example';
(async () => {
  const w = await ExampleWorld.start();
  try {
    for (const s of ['witness','uk-primary','eu-standby'] as const) { const t=Date.now(); console.log(await w.up(s)); console.log(s, Date.now()-t); }
  } catch (e) { console.log((e as {output?: string}).output ?? e); }
  finally { await w.dispose(); }
})();
