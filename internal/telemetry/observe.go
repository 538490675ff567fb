package telemetry

import "time"

// AddActiveSessions counts sessions that this replica took (+1) or left (-1).
func (m *Metrics) AddActiveSessions(delta int) { m.sessionsActive.Add(float64(delta)) }

// SetActiveSessions says how many sessions this replica follows.
func (m *Metrics) SetActiveSessions(n int) { m.sessionsActive.Set(float64(n)) }

// SetSessionsWithoutStatus says how many sessions of this replica have had no
// status for too long after their start.
func (m *Metrics) SetSessionsWithoutStatus(n int) { m.sessionsSilent.Set(float64(n)) }

// SessionStarted counts an order that was created at the provider.
func (m *Metrics) SessionStarted() { m.sessionsStarted.Inc() }

// SessionEnded counts a session that ended with a final status. One that ended
// unresolved is counted among those too.
func (m *Metrics) SessionEnded(status string) {
	m.sessionsEnded.WithLabelValues(known(statuses, status)).Inc()
	if status == statusUnresolved {
		m.sessionsUnresolved.Inc()
	}
}

// SessionTakenOver counts a session that another replica had before.
func (m *Metrics) SessionTakenOver() { m.failovers.Inc() }

// SessionHandedOver counts a session that this replica gave up while draining.
func (m *Metrics) SessionHandedOver() { m.handovers.Inc() }

// SessionPanicked counts a session that failed in this program's own code and
// was left to another replica.
func (m *Metrics) SessionPanicked() { m.sessionsPanicked.Inc() }

// SweepRepaired counts something that a sweep of queue and logs found and repaired.
func (m *Metrics) SweepRepaired(finding string) {
	m.sweepRepairs.WithLabelValues(known(findings, finding)).Inc()
}

// FenceLost counts a session that this replica left because another has it.
func (m *Metrics) FenceLost() { m.fencesLost.Inc() }

// SetOldestSession says when the oldest session that this replica follows
// started; the zero time means that it follows none. Its age grows by itself.
func (m *Metrics) SetOldestSession(started time.Time) {
	if started.IsZero() {
		m.oldestSession.Store(0)
		return
	}
	m.oldestSession.Store(started.UnixNano())
}

func (m *Metrics) oldestSessionAge() float64 {
	started := m.oldestSession.Load()
	if started == 0 {
		return 0
	}
	return max(0, m.now().Sub(time.Unix(0, started)).Seconds())
}

// AddConnectedStreams counts event streams that opened (+1) or ended (-1).
func (m *Metrics) AddConnectedStreams(delta int) { m.streamsConnected.Add(float64(delta)) }

// StreamReconnected counts a stream that is opened again after one that ended
// for a reason.
func (m *Metrics) StreamReconnected(reason string) {
	m.streamReconnects.WithLabelValues(known(reasons, reason)).Inc()
}

// Reconciled counts an order that was asked for.
func (m *Metrics) Reconciled(result ReconcileResult) {
	m.reconciles.WithLabelValues(known(results, string(result))).Inc()
}

// EventInvalid counts an event that could not be understood.
func (m *Metrics) EventInvalid() { m.invalidEvents.Inc() }

// EventOther counts an event that is not about orders, by its type.
func (m *Metrics) EventOther(kind string) {
	m.otherEvents.WithLabelValues(known(eventTypes, kind)).Inc()
}

// EventForeign counts an event of another order.
func (m *Metrics) EventForeign() { m.foreignEvents.Inc() }

// StatusPublished counts a status event that JetStream acknowledged.
func (m *Metrics) StatusPublished(status, source string) {
	m.statusPublished.WithLabelValues(known(statuses, status), known(sources, source)).Inc()
}

// Delivered takes the time from reading a provider's event to JetStream's
// acknowledgement.
func (m *Metrics) Delivered(took time.Duration) { m.deliveryLatency.Observe(took.Seconds()) }

// AddPendingPublishes counts messages that wait for JetStream (+1), or that it
// acknowledged or refused (-1).
func (m *Metrics) AddPendingPublishes(delta int) { m.pendingPublishes.Add(float64(delta)) }

// Notified counts a notification that arrived.
func (m *Metrics) Notified(result NotificationResult) {
	m.notifications.WithLabelValues(string(result)).Inc()
}

// CommandAnswered counts a command's reply. code is empty or "ok" when it was
// carried out, else the error's.
func (m *Metrics) CommandAnswered(command, code string, took time.Duration) {
	if code == "" {
		code = codeOK
	}
	command = known(commands, command)
	m.commands.WithLabelValues(command, known(codes, code)).Inc()
	m.commandDuration.WithLabelValues(command).Observe(took.Seconds())
}

// ProviderRequest counts a request to the provider. code is the HTTP status, or
// "error" when there was no answer.
func (m *Metrics) ProviderRequest(operation, code string, took time.Duration) {
	operation = known(operations, operation)
	m.providerRequests.WithLabelValues(operation, httpCode(code)).Inc()
	m.providerDuration.WithLabelValues(operation).Observe(took.Seconds())
}

// SetNATSConnected says whether the connection to NATS is up.
func (m *Metrics) SetNATSConnected(up bool) { m.natsConnected.Set(number(up)) }

// NATSReconnected counts a connection that was made again.
func (m *Metrics) NATSReconnected() { m.natsReconnects.Inc() }

// SetReady says what /readyz says.
func (m *Metrics) SetReady(ready bool) { m.ready.Set(number(ready)) }

// SetDraining says whether this replica drains.
func (m *Metrics) SetDraining(draining bool) { m.draining.Set(number(draining)) }

// GroupsReloaded counts a reload of the terminal groups' file. After an error
// the last good one stays in force.
func (m *Metrics) GroupsReloaded(err error) {
	result := resultOK
	if err != nil {
		result = resultError
	}
	m.groupReloads.WithLabelValues(result).Inc()
	m.groupsCurrent.Set(number(err == nil))
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
