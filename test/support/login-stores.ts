import type { Test } from 'tap'
import { testRedis, withoutRedis } from './redis.ts'
import type { TestServiceOptions } from './service.ts'

/** Where logins may live: what holds for one store must hold for the other. */
export const loginStores: readonly {
  readonly store: string
  readonly skip: string | false
  /** What startTestService() wants for it. */
  readonly options: (t: Test) => Promise<Pick<TestServiceOptions, 'redis'>>
}[] = [
  { store: 'memory', skip: false, options: async () => ({}) },
  { store: 'redis', skip: withoutRedis, options: async (t) => ({ redis: await testRedis(t) }) },
]
