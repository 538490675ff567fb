// A file of JSON lines that survives kill -9. A line is on the disk when append
// returns. A line that was cut off in the middle was never acted on, so it is
// removed.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';

export class Journal<Line> {
  /** What was in the file when it was opened. */
  readonly lines: Line[];
  private readonly file: number;

  constructor(path: string) {
    const before = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
    const whole = before.subarray(0, before.lastIndexOf('\n') + 1);
    if (whole.length < before.length) truncateSync(path, whole.length);
    this.lines = whole.toString().split('\n').filter(Boolean).map((line) => JSON.parse(line) as Line);
    this.file = openSync(path, 'a');
  }

  append(line: Line): void {
    writeSync(this.file, JSON.stringify(line) + '\n');
    fsyncSync(this.file);
  }

  close(): void {
    closeSync(this.file);
  }
}
