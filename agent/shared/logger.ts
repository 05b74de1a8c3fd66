import pino, { type Logger } from 'pino';

export type { Logger };

/** Structured lines on standard output, where the journal takes them; fields that could hold a key are never written. */
export function createLogger(name: string, level = process.env['FAILOVER_LOG_LEVEL'] ?? 'info'): Logger {
  return pino({
    name,
    level,
    base: { name },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: ['*.authorization', '*["api-key"]', '*.secret', '*.secretKey', '*.key', 'secret', 'secretKey'],
      censor: '[hidden]',
    },
  });
}
