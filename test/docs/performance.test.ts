import t from 'tap'
import { withResults } from '../../bench/document.ts'
import { picture } from '../../bench/picture.ts'
import { byKind } from '../../bench/profile.ts'
import { partNames, readResults } from '../../bench/results.ts'
import { readText } from './markdown.ts'

t.test('the page and its picture show the results that are kept', async (t) => {
  const results = await readResults()
  const page = await readText('docs/performance.md')
  t.strictSame(Object.keys(results), [...partNames], 'every part was measured')
  t.equal(withResults(page, results), page)
  if (results.steps !== undefined)
    t.equal(picture(results.steps.results), await readText('docs/performance.svg'))
})

t.test('a page without a place for a part is refused', async (t) => {
  const results = await readResults()
  t.throws(() => withResults('<!-- steps: begin -->', results), { message: /no place for steps/ })
})

t.test('a function without a file belongs to who called it, unless its name says what it does', async (t) => {
  const node = (id: number, functionName: string, url: string, ...children: number[]) => ({
    id,
    callFrame: { functionName, url, scriptId: '0', lineNumber: 0, columnNumber: 0 },
    children,
  })
  const nodes = [
    node(1, '(root)', '', 2, 5, 6),
    node(2, 'sign', 'node:internal/crypto/sig', 3, 4),
    node(3, 'run', ''),
    node(4, 'writeUtf8String', ''),
    node(5, '(idle)', ''),
    node(6, 'finish', 'file:///home/somebody/auth-movies/src/login/finish.ts'),
  ]
  const samples = [2, 3, 4, 5, 6]
  const profile = { nodes, startTime: 0, endTime: 5, samples, timeDeltas: [1, 1, 1, 1_000, 1] }
  t.strictSame(byKind(profile, 40), {
    cryptography: 20,
    'writing to sockets, connecting, closing': 10,
    "the service's own code": 10,
  })
})
