import type { Language } from '../../docs/.vitepress/navigation.ts'
import { login } from './login.ts'
import { loginStates } from './login-states.ts'
import { parts } from './parts.ts'
import { refreshStates } from './refresh-states.ts'

const drawings = { login, 'login-states': loginStates, parts, 'refresh-states': refreshStates }

/** Every drawing of the documentation in both languages, by its path in the repository. */
export function diagrams(): ReadonlyMap<string, string> {
  const languages: readonly Language[] = ['en', 'ru']
  return new Map(
    Object.entries(drawings).flatMap(([name, draw]) =>
      languages.map((language): [string, string] => [
        `docs/diagrams/${name}.${language}.svg`,
        draw(language),
      ]),
    ),
  )
}
