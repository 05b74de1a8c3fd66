/** Policy documents of AWS, as far as rules read them. */
import { isObject, listOf, UNKNOWN, type Value, type Values } from './values';

/** The statements that allow something; none of a document that is not known yet or is not JSON, which AWS refuses. */
export function allowing(document: Value): readonly Values[] {
  const parsed = typeof document === 'string' ? parse(document) : document;
  if (!isObject(parsed)) return [];
  return listOf(parsed['Statement']).filter(
    (statement): statement is Values => isObject(statement) && statement['Effect'] === 'Allow',
  );
}

function parse(text: string): Value {
  try {
    return JSON.parse(text) as Value;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Names the statement in messages. */
export function nameOf({ Sid }: Values): string {
  return typeof Sid === 'string' ? `statement ${Sid}` : 'a statement';
}

/** Of one or several, as documents have them. */
export function texts(value: Value): readonly string[] {
  return value === UNKNOWN ? [] : listOf(value).filter((each) => typeof each === 'string');
}
