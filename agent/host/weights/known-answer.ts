import { z } from 'zod';
import type { InferenceSpec } from '../../../infra/contract/site-spec';
import { firstKey } from '../../shared/key-lines';
import type { Converger } from '../converge';
import { ModelMismatchError } from '../errors';

const Completion = z.object({ choices: z.array(z.object({ text: z.string() })).min(1) });
const TOKENS = 32;
const TIMEOUT_SECONDS = 60;

/** Asks the engine that has just loaded: hashes tell that the files are right, this that it answers from them as it should. */
export async function checkKnownAnswer(converger: Converger, spec: InferenceSpec): Promise<void> {
  const { name, knownAnswer } = spec.model;
  if (knownAnswer === undefined) return;
  const { prompt, answer } = knownAnswer;
  const said = await converger.host.http(`http://127.0.0.1:${spec.port}/v1/completions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${firstKey(await converger.credential('vllm-key'))}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ model: name, prompt, max_tokens: TOKENS, temperature: 0 }),
    timeoutSeconds: TIMEOUT_SECONDS,
  });
  const parsed = Completion.safeParse(said.status === 200 ? JSON.parse(said.body) : null);
  const text = parsed.success ? (parsed.data.choices[0]?.text ?? '') : null;
  if (text?.startsWith(answer) === true) return;
  throw new ModelMismatchError(
    `asked "${prompt}", the engine should go on with "${answer}" and ` +
      (text === null ? `answers ${said.status}` : `says "${text}"`) +
      ': the version before stays on the disk; set modelSha256 back to it, or correct modelKnownAnswer',
  );
}
