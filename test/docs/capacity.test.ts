import t from 'tap'
import measured from '../../bench/capacity.json' with { type: 'json' }
import { capacityTables, needOf, rates } from '../../bench/capacity-plan.ts'
import { readText } from './markdown.ts'

t.test('the pages show the tables of the last measurement', async (t) => {
  for (const language of ['en', 'ru'] as const) {
    const page = await readText(`docs/${language}/capacity.md`)
    t.ok(page.includes(capacityTables(measured, language)), language)
  }
})

t.test('what was measured is of the right size', async (t) => {
  const { cpu, wal, busy, bytes } = measured
  for (const kind of ['login', 'refresh'] as const) {
    for (const [part, microseconds] of Object.entries(cpu[kind]))
      t.ok(microseconds > 5 && microseconds < 20_000, `${kind}: ${part}`)
    t.ok(wal[kind] > 100 && wal[kind] < 50_000, `${kind}: log`)
    t.ok(busy[kind] > 0.1 && busy[kind] < 500, `${kind}: busy`)
  }
  for (const [what, size] of Object.entries(bytes)) t.ok(size > 100 && size < 10_000, what)
})

t.test('a need grows with the rate, and holds what was measured', async (t) => {
  const [one, , most] = rates.map((rate) => needOf(rate, measured))
  t.ok(one && most && Math.abs(most.serviceCores / one.serviceCores - 10_000) < 1)
  // A login and its five refreshes, on cores that are half busy.
  const seconds = (measured.cpu.login.service + 5 * measured.cpu.refresh.service) / 1e6
  t.equal(one?.serviceCores, seconds / 0.5)
})
