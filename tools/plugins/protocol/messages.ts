/** Between the protocol's messages and plain property maps. */
import { Struct, type JavaScriptValue } from 'google-protobuf/google/protobuf/struct_pb';
import * as messages from '@pulumi/pulumi/proto/provider_pb';
import type { PropertyChange } from './provider';
import type { WireMap } from './values';

export function diffResponse(changes: readonly PropertyChange[]): messages.DiffResponse {
  const response = new messages.DiffResponse();
  const { DiffChanges } = messages.DiffResponse;
  response.setChanges(changes.length > 0 ? DiffChanges.DIFF_SOME : DiffChanges.DIFF_NONE);
  response.setHasdetaileddiff(true);
  const names = (wanted: readonly PropertyChange[]): string[] => [
    ...new Set(wanted.map(({ path }) => path.split(/[.[]/)[0] ?? path)),
  ];
  response.setDiffsList(names(changes));
  response.setReplacesList(names(changes.filter(({ replace }) => replace)));
  const { Kind } = messages.PropertyDiff;
  const kinds = {
    add: [Kind.ADD, Kind.ADD_REPLACE],
    delete: [Kind.DELETE, Kind.DELETE_REPLACE],
    update: [Kind.UPDATE, Kind.UPDATE_REPLACE],
  } as const;
  for (const { path, kind, replace } of changes) {
    const detail = new messages.PropertyDiff();
    detail.setKind(kinds[kind][replace ? 1 : 0]);
    response.getDetaileddiffMap().set(path, detail);
  }
  return response;
}

/** New inputs, in which those that the program said to ignore keep their deployed value. */
export function withIgnored(
  news: Struct | undefined,
  olds: Struct | undefined,
  ignored: readonly string[],
): WireMap {
  const inputs: Record<string, WireMap[string]> = { ...fromStruct(news) };
  const state = fromStruct(olds);
  for (const name of ignored) {
    const deployed = state[name];
    if (deployed !== undefined) inputs[name] = deployed;
  }
  delete inputs['version'];
  for (const name of Object.keys(inputs)) if (name.startsWith('__')) delete inputs[name];
  return inputs;
}

export function fromStruct(struct: Struct | undefined): WireMap {
  return (struct?.toJavaScript() ?? {}) as WireMap;
}

export function toStruct(map: WireMap): Struct {
  const defined = Object.fromEntries(Object.entries(map).filter(([, value]) => value !== undefined));
  return Struct.fromJavaScript(defined as Record<string, JavaScriptValue>);
}
