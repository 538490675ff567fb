// Package redact keeps secrets and card data out of everything that people or
// other programs read: logs, messages, metrics, errors.
//
// A Secret is a value that cannot be formatted, marshalled or logged. A Scrubber
// removes known secrets, card numbers and whatever looks like a secret from text
// that somebody else wrote. A Keyring collects the keys that a process uses and
// hands out Scrubbers that know them all.
package redact
