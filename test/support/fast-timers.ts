// For `node --import`: makes the long timers of a service short, so that a test sees in seconds what happens by the hour.
// Code and clocks stay as they are. Timers with a random part have no whole number of milliseconds.

/** The hourly sweep and the hourly work of providers run every two seconds; signing keys are read as often. */
function shortened(milliseconds: number): number {
  if (milliseconds === 3_600_000) return 2_000
  if (Number.isInteger(milliseconds) || milliseconds < 48_000) return milliseconds
  return milliseconds <= 56_000 ? milliseconds / 25 : milliseconds / 1_800
}

globalThis.setTimeout = new Proxy(globalThis.setTimeout, {
  apply: (wait, self, [callback, milliseconds = 0, ...values]) =>
    Reflect.apply(wait, self, [callback, shortened(Number(milliseconds)), ...values]),
})
