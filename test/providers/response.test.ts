import * as fc from 'fast-check'
import t from 'tap'
import { parseJsonObject } from '../../src/providers/response.ts'

const parse = (text: string) => parseJsonObject(Buffer.from(text))

await t.test('anything but a JSON object gives undefined', async (t) => {
  for (const text of [
    '',
    ' ',
    'null',
    '[]',
    '[{"a":1}]',
    '"a"',
    '7',
    'true',
    '<html>',
    'a=b&c=d',
    '{"a":1',
    '{"a":NaN}',
  ])
    t.equal(parse(text), undefined, text)
  t.equal(parseJsonObject(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), undefined, 'broken UTF-8')
  t.equal(parse('['.repeat(200_000)), undefined, 'nested without end')
})

await t.test('a byte order mark is ignored', async (t) => {
  t.strictSame(parse('\ufeff{"a":1}'), { a: 1 })
})

await t.test('integers beyond 2^53 keep their digits', async (t) => {
  t.strictSame(parse('{"id":9007199254740993,"in":{"deep":[-9007199254740995]}}'), {
    id: '9007199254740993',
    in: { deep: ['-9007199254740995'] },
  })
  t.strictSame(parse('{"a":9007199254740991,"b":1.5,"c":1e3,"d":-0}'), {
    a: 9007199254740991,
    b: 1.5,
    c: 1000,
    d: -0,
  })
})

await t.test('any integer keeps its digits', async (t) => {
  fc.assert(fc.property(fc.bigInt(), (id) => String(parse(`{"id":${id}}`)?.id) === String(id)))
  t.pass()
})

await t.test('any JSON object is read as it was written', async (t) => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.boolean(), fc.maxSafeInteger())),
      (object) => {
        t.strictSame({ ...parse(JSON.stringify(object)) }, { ...object })
      },
    ),
    { numRuns: 50 },
  )
})
