import t from 'tap'
import { createMemoryLoginStore } from '../../src/login/memory-login-store.ts'
import { runLoginStoreConformance } from './login-store-conformance.ts'

await runLoginStoreConformance(t, async () => createMemoryLoginStore())
