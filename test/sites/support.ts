import t from 'tap'
import { SiteError } from '../../src/sites/site.ts'

/** A strict deployment that knows three providers. */
export const rules = { loopback: false, providers: ['one', 'two', 'three'] }

/** Asserts that a change is refused with this kind of SiteError and a message that matches. */
export async function assertRefused(
  test: Pick<typeof t, 'match' | 'fail' | 'equal'>,
  change: Promise<unknown>,
  kind: SiteError['kind'],
  sentence: RegExp,
): Promise<void> {
  try {
    await change
    test.fail(`was not refused: ${sentence}`)
  } catch (error) {
    if (!(error instanceof SiteError)) throw error
    test.equal(error.kind, kind, error.message)
    test.match(error.message, sentence)
  }
}
