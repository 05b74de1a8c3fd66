/** Sets this process's wall clock as `date --set` would the machine's: monotonic time and timers go on undisturbed. */
const RealDate = Date;
let offset = 0;

/** @param offsetMs from the true time; 0 puts it right */
export function shiftWallClock(offsetMs: number): void {
  offset = offsetMs;
  globalThis.Date = offset === 0 ? RealDate : ShiftedDate;
}

const ShiftedDate = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [target.now() + offset] : args, newTarget) as Date,
  get: (target, property, receiver) =>
    property === 'now' ? () => target.now() + offset : (Reflect.get(target, property, receiver) as unknown),
});
