import type { ProviderPlugin } from '../src/providers/provider-plugin.ts'
import { google } from './google.ts'
import { mail } from './mail.ts'
import { yandex } from './yandex.ts'

/** Every provider that the service supports. It is enabled by its CLIENT_ID and CLIENT_SECRET. */
export const providers: readonly ProviderPlugin[] = [yandex, google, mail]
