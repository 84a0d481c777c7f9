import type { ProviderPlugin } from '../src/providers/provider-plugin.ts'
import { apple } from './apple.ts'
import { github } from './github.ts'
import { google } from './google.ts'
import { mail } from './mail.ts'
import { telegram } from './telegram.ts'
import { tid } from './tid.ts'
import { vkid } from './vkid.ts'
import { yandex } from './yandex.ts'

/** Every provider that the service supports. It is enabled by its CLIENT_ID, and by its secret where it has one. */
export const providers: readonly ProviderPlugin[] = [yandex, google, mail, vkid, tid, telegram, apple, github]
