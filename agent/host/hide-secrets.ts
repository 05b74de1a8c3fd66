const SHORTEST = 8;

/** The text without the values, nor any line of one; what is shorter than a key would only spoil the text. */
export function hideSecrets(text: string, values: Iterable<string>): string {
  const parts = [...values].flatMap((value) => [
    value.trim(),
    ...value.split('\n').map((line) => line.trim()),
  ]);
  // Longest first: one key may begin with another.
  const secrets = [...new Set(parts)].filter((part) => part.length >= SHORTEST);
  return secrets
    .sort((a, b) => b.length - a.length)
    .reduce((shown, secret) => shown.split(secret).join('[hidden]'), text);
}
