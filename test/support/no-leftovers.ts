import t from 'tap'

/** Milliseconds that what a file has opened may still take to close after its last test. */
const closesWithin = 10_000

// Loaded before each test file (.taprc). What a failed test left open would keep the process alive until tap ends it
// after two minutes: it ends soon instead, as failed, and names what was left. The first teardown of all runs last.
t.teardown(() => {
  setTimeout(() => {
    process.stderr.write(`Left open after the last test: ${process.getActiveResourcesInfo().join(', ')}\n`)
    process.exit(1)
  }, closesWithin).unref()
})
