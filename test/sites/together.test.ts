import t from 'tap'
import { together } from '../../src/sites/together.ts'

t.test('what is asked within a moment is loaded by one call', async (t) => {
  const calls: (readonly string[])[] = []
  const find = together(async (keys) => {
    calls.push(keys)
    return new Map(keys.filter((key) => key !== 'none').map((key) => [key, `found ${key}`]))
  }, 20)
  t.strictSame(await Promise.all(['a', 'b', 'a', 'none'].map(find)), [
    'found a',
    'found b',
    'found a',
    undefined,
  ])
  t.strictSame(calls, [['a', 'b', 'none']])
  t.equal(await find('a'), 'found a')
  t.equal(calls.length, 2, 'nothing is remembered')

  const many = Array.from({ length: 2_500 }, (_, index) => `key ${index}`)
  await Promise.all(many.map(find))
  t.strictSame(
    calls.slice(2).map(({ length }) => length),
    [1_000, 1_000, 500],
    'and no call grows without bound',
  )
})

t.test('a failure reaches everybody who asked, and is not kept', async (t) => {
  let fails = true
  const find = together(async (keys) => {
    if (fails) throw new Error('away')
    return new Map(keys.map((key) => [key, key]))
  }, 5)
  const results = await Promise.allSettled([find('a'), find('b')])
  t.strictSame(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  fails = false
  t.equal(await find('a'), 'a')
})
