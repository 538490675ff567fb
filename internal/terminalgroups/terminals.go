package terminalgroups

// Terminals returns the terminals that are known to belong to a group, with the
// group's id: those that the file lists, and those that the provider has named
// when it was asked. Of one that the provider lists in several groups all are
// given, with commas. It asks nobody.
func (d *Directory) Terminals() map[string]string {
	t := d.now.Load()
	terminals := make(map[string]string, len(t.named))
	for _, l := range t.asked {
		l.mu.Lock()
		for id := range l.roll.rows {
			if l.roll.claim(id, l.group.ID) == absent {
				continue
			}
			if other, taken := terminals[id]; taken {
				terminals[id] = other + ", " + l.group.ID
			} else {
				terminals[id] = l.group.ID
			}
		}
		l.mu.Unlock()
	}
	for id, g := range t.named {
		terminals[id] = g.ID
	}
	return terminals
}
