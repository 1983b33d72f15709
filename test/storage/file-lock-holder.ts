import { FileLock } from '../../src/storage/file-lock.ts'

// A process to be killed, which has the lock until then.

const lock = new FileLock(process.argv[2] ?? '')
if (lock.tryTake()) console.log('taken')
setInterval(() => lock, 1000)
