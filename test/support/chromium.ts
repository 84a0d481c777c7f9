import { execFileSync } from 'node:child_process'

/** The browser's program on the PATH; undefined where none is installed. */
export const chromium: string | undefined = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})

/** For `t.test(name, { skip: withoutChromium }, …)`: false where there is a browser to test with, else the reason. */
export const withoutChromium: string | false = chromium === undefined && 'chromium is not installed'
