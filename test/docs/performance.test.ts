import t from 'tap'
import { withResults } from '../../bench/document.ts'
import { picture } from '../../bench/picture.ts'
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
