import t from 'tap'

/** Milliseconds that a test file's resources may take to close after its last test. */
const closesWithin = 10_000

// Loaded before each test file (.taprc). A resource that a failed test left open would keep the process alive until tap ends
// it after two minutes. Instead the process soon ends as failed and names the resource. The first teardown runs last.
t.teardown(() => {
  setTimeout(() => {
    process.stderr.write(`Left open after the last test: ${process.getActiveResourcesInfo().join(', ')}\n`)
    process.exit(1)
  }, closesWithin).unref()
})
