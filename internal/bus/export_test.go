package bus

// ParseHandle returns the queue sequence of the session that a handle belongs to.
func (b *Bus) ParseHandle(handle string) (seq uint64, ok bool) {
	d, ok := b.parseHandle(handle)
	return d.seq, ok
}
