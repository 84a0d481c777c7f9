import type { Test } from 'tap'
import { testRedis, withoutRedis } from './redis.ts'
import type { TestServiceOptions } from './service.ts'

/** The implementations of LoginStore: tests run with each of them. */
export const loginStores: readonly {
  readonly store: string
  readonly skip: string | false
  /** The options of startTestService() for it. */
  readonly options: (t: Test) => Promise<Pick<TestServiceOptions, 'redis'>>
}[] = [
  { store: 'memory', skip: false, options: async () => ({}) },
  { store: 'redis', skip: withoutRedis, options: async (t) => ({ redis: await testRedis(t) }) },
]
