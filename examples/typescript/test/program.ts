// Runs programs for the tests: the bridge with "dev", and the recipes.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** How long a test waits for something that must happen. */
const PATIENCE = 120_000;

export class Program {
  readonly lines: string[] = [];
  private readonly process: ChildProcess;
  private readonly closed: Promise<unknown>;
  private changed!: () => void;
  private change!: Promise<void>;

  constructor(command: string, args: string[], env: NodeJS.ProcessEnv = {}) {
    this.arm();
    this.process = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
    this.closed = once(this.process, 'close');
    void this.closed.then(() => this.tell());
    createInterface({ input: this.process.stdout! }).on('line', (line) => {
      this.lines.push(line);
      this.tell();
    });
  }

  /** Waits until a line matches, and returns the match. */
  async says(pattern: RegExp): Promise<RegExpMatchArray> {
    let late = false;
    const timer = setTimeout(() => ((late = true), this.tell()), PATIENCE);
    try {
      for (;;) {
        const change = this.change;
        for (const line of this.lines) {
          const match = line.match(pattern);
          if (match) return match;
        }
        if (this.process.exitCode !== null || this.process.signalCode !== null || late) {
          throw new Error(`never said ${pattern}:\n${this.lines.join('\n')}`);
        }
        await change;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }

  /** Kills it as a power cut would. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.closed;
  }

  /** Waits for its own end, and returns its exit code. */
  async ends(): Promise<number | null> {
    const timer = setTimeout(() => this.process.kill('SIGKILL'), PATIENCE);
    await this.closed;
    clearTimeout(timer);
    return this.process.exitCode;
  }

  private arm(): void {
    this.change = new Promise((changed) => (this.changed = changed));
  }

  private tell(): void {
    this.changed();
    this.arm();
  }
}
