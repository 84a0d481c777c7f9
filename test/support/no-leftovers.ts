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

// tap ends the root test as soon as it has nothing to do, which may be while a file awaits something between two subtests.
// A later subtest or assertion does not run: tap only writes an error to stderr ("cannot create subtest after parent test
// ends") and lets the file pass. Here the file fails.
process.on('exit', () => {
  if (t.results?.ok === false) process.exitCode ||= 1
})
