import { apple } from './apple.ts'
import type { ProviderDouble } from './double.ts'
import { github } from './github.ts'
import { google } from './google.ts'
import { mail } from './mail.ts'
import type { CommonSwitches, ProviderRules } from './provider-rules.ts'
import { telegram } from './telegram.ts'
import { tid } from './tid.ts'
import { vkid } from './vkid.ts'
import { yandex } from './yandex.ts'

/** Serves one double, somewhere. */
export type Serve = <S extends CommonSwitches>(rules: ProviderRules<S>) => Promise<ProviderDouble<S>>

/** Serves a double of every provider. This is the list of them, in the order in which the sandbox shows them. */
export async function serveDoubles(serve: Serve) {
  return {
    yandex: await serve(yandex()),
    google: await serve(google()),
    mail: await serve(mail()),
    vkid: await serve(vkid()),
    tid: await serve(tid()),
    telegram: await serve(telegram()),
    apple: await serve(apple()),
    github: await serve(github()),
  }
}

/** A double of every provider, by the provider's name, each with its own switches. */
export type Doubles = Readonly<Awaited<ReturnType<typeof serveDoubles>>>

/** The name of a provider that has a double. */
export type DoubleName = keyof Doubles

/** The names of the doubles, in their order. */
export function namesOf(doubles: Readonly<Record<DoubleName, unknown>>): DoubleName[] {
  return Object.keys(doubles).filter((name): name is DoubleName => Object.hasOwn(doubles, name))
}

/** The variables that point a service to the doubles. */
export function envOf(doubles: Readonly<Record<DoubleName, ProviderDouble>>): Record<string, string> {
  return Object.assign({}, ...Object.values(doubles).map(({ env }) => env))
}
