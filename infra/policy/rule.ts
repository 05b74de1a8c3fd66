import type { PolicyResource, ResourceValidationPolicy, StackValidationPolicy } from '@pulumi/policy';
import { valuesOf, type Values } from './values';

/** What breaks a rule, in three parts, so that the message says what is wrong and what to do. */
export interface Finding {
  readonly found: string;
  readonly expected: string;
  readonly remedy: string;
}

export interface Inspected {
  readonly type: string;
  readonly name: string;
  readonly props: Values;
  readonly protect: boolean;
}

interface Rule {
  readonly name: string;
  readonly description: string;
}

export interface ResourceRule extends Rule {
  /** Type tokens that the rule is about. */
  readonly types: readonly string[];
  readonly check: (resource: Inspected) => readonly Finding[];
}

/** A rule that looks at one resource at a time. */
export function resourceRule({ name, description, types, check }: ResourceRule): ResourceValidationPolicy {
  return {
    name,
    description,
    enforcementLevel: 'mandatory',
    validateResource: ({ type, name: resource, props, opts }, report) => {
      if (!types.includes(type)) return;
      const inspected = { type, name: resource, props: valuesOf(props), protect: opts.protect };
      for (const finding of check(inspected)) report(messageOf(finding));
    },
  };
}

export interface StackResource {
  readonly type: string;
  readonly urn: string;
  readonly name: string;
  readonly props: Values;
  /** URNs of the resources whose outputs went into each property. */
  readonly sources: Readonly<Record<string, readonly string[]>>;
}

export interface StackRule extends Rule {
  readonly types: readonly string[];
  /** Given every resource of those types. */
  readonly check: (resources: readonly StackResource[]) => readonly (Finding & { readonly urn: string })[];
}

/** A rule about resources that belong together, checked when all are declared. */
export function stackRule({ name, description, types, check }: StackRule): StackValidationPolicy {
  return {
    name,
    description,
    enforcementLevel: 'mandatory',
    validateStack: ({ resources }, report) => {
      const found = check(resources.filter(({ type }) => types.includes(type)).map(stackResource));
      for (const finding of found) report(messageOf(finding), finding.urn);
    },
  };
}

function stackResource({ type, urn, name, props, propertyDependencies }: PolicyResource): StackResource {
  const sources = Object.entries(propertyDependencies).map(([property, resources]) => [
    property,
    resources.map((resource) => resource.urn),
  ]);
  return {
    type,
    urn,
    name,
    props: valuesOf(props),
    sources: Object.fromEntries(sources) as StackResource['sources'],
  };
}

function messageOf({ found, expected, remedy }: Finding): string {
  return `Found ${found}. Expected ${expected}. ${remedy}.`;
}
