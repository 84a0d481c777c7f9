import { spawnSync } from 'node:child_process'
import { Writable } from 'node:stream'
import t from 'tap'
import { boundedOutput } from '../src/log.ts'

/** A reader that takes nothing until it is told to. */
function stuckReader() {
  const taken: string[] = []
  let waiting: (() => void) | undefined
  let stuck = true
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      taken.push(String(chunk))
      if (stuck) waiting = done
      else done()
    },
  })
  const flow = () => {
    stuck = false
    waiting?.()
  }
  return { stream, taken, flow }
}

t.test('lines above the limit are dropped and counted until the reader goes on', async (t) => {
  const { stream, taken, flow } = stuckReader()
  const told: number[] = []
  // The notice goes the way of every line.
  const output = boundedOutput(stream, 100_000, (count) => {
    told.push(count)
    output.write('notice')
  })
  const line = 'x'.repeat(999)
  for (let n = 0; n < 500; n++) output.write(line + String(n % 10))
  t.equal(output.dropped, 500 - 101)
  t.strictSame(told, [], 'nothing is told while nobody reads')

  flow()
  await output.flush(5_000)
  t.strictSame(told, [399])
  output.write('next')
  await output.flush(5_000)
  t.strictSame(
    taken.filter((text) => text !== ''),
    [...Array.from({ length: 101 }, (_, n) => line + String(n % 10)), 'notice', 'next'],
  )
  t.equal(output.dropped, 399)
})

t.test('a flush ends after its time limit', async (t) => {
  const { stream } = stuckReader()
  const output = boundedOutput(stream, 100, () => {})
  output.write('one')
  const from = performance.now()
  await output.flush(50)
  t.ok(performance.now() - from >= 45)
})

t.test('lines for a broken stream are dropped, and nothing is thrown', async (t) => {
  const stream = new Writable({
    write(_chunk, _encoding, done) {
      done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    },
  })
  const output = boundedOutput(stream, 100, () => {})
  output.write('one')
  await new Promise((resolve) => setImmediate(resolve))
  output.write('two')
  await output.flush(5_000)
  t.equal(output.dropped, 1)
})

t.test(
  'lines of one turn of the event loop are written at once, in their order, and none is lost at an exit',
  async (t) => {
    const batches: string[][] = []
    const stream = new Writable({
      decodeStrings: false,
      write(chunk, _encoding, done) {
        batches.push([String(chunk)])
        done()
      },
      writev(chunks, done) {
        batches.push(chunks.map(({ chunk }) => String(chunk)))
        done()
      },
    })
    const output = boundedOutput(stream, 100_000, () => {})
    for (const line of ['one', 'two', 'three']) output.write(line)
    t.strictSame(batches, [])
    await output.flush(5_000)
    t.strictSame(batches, [['one', 'two', 'three', '']])

    const program = `
    import { createLog } from '${new URL('../src/log.ts', import.meta.url).href}'
    const { log } = createLog('info')
    log.info('before')
    log.info('last')
    process.exit(3)`
    const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', program])
    t.equal(status, 3)
    t.match(stdout.toString(), /"before".*\n.*"last"/)
  },
)
