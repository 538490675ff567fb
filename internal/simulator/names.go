package simulator

import (
	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// Operation is one thing that can be asked of the provider.
type Operation = calls.Operation

// The operations.
const (
	OpCreate    = calls.OpCreate
	OpGet       = calls.OpGet
	OpCancel    = calls.OpCancel
	OpPatch     = calls.OpPatch
	OpTerminals = calls.OpTerminals
	OpReceipt   = calls.OpReceipt
	OpStream    = calls.OpStream
)

// Fault is something that shall go wrong.
type Fault = fault.Fault

// FaultName names something that can go wrong.
type FaultName = fault.Name

// Always is the Count of a fault that stays until it is taken back.
const Always = fault.Always

// The faults that tests of other packages set.
const (
	FaultFailAPI          = fault.FailAPI
	FaultHistory          = fault.History
	FaultLoseAnswer       = fault.LoseAnswer
	FaultLoseCreateAnswer = fault.LoseCreateAnswer
	FaultOddAnswer        = fault.OddAnswer
	FaultOddEvent         = fault.OddEvent
	FaultOddPager         = fault.OddPager
	FaultRedirect         = fault.Redirect
	FaultSilentStream     = fault.SilentStream
	FaultSlowAPI          = fault.SlowAPI
	HistoryIDs            = fault.HistoryIDs
	HistoryReplay         = fault.HistoryReplay
	HistoryReplayIDs      = fault.HistoryReplayIDs
	LoseByCut             = fault.LoseByCut
	LoseByHTML            = fault.LoseByHTML
	LoseByHang            = fault.LoseByHang
	PagerNone             = fault.PagerNone
	PagerOffset           = fault.PagerOffset
	PagerPage             = fault.PagerPage
)

// Action is something done at a terminal.
type Action = scenario.Action

// The actions that tests of other packages do.
const (
	ActTap     = scenario.ActTap
	ActInsert  = scenario.ActInsert
	ActPIN     = scenario.ActPIN
	ActApprove = scenario.ActApprove
	ActDecline = scenario.ActDecline
	ActCancel  = scenario.ActCancel
	ActReverse = scenario.ActReverse
	ActRefund  = scenario.ActRefund
)

// Scenario names what the virtual customer and the card's issuer do.
type Scenario = scenario.Scenario

// The scenarios that tests of other packages ask for.
const (
	Approve                = scenario.Approve
	ApproveInPart          = scenario.ApproveInPart
	ApproveWithTip         = scenario.ApproveWithTip
	StepUpThenApprove      = scenario.StepUpThenApprove
	SoftDeclineThenApprove = scenario.SoftDeclineThenApprove
	WaitForHand            = scenario.WaitForHand
	WalkAway               = scenario.WalkAway
)

// Scenarios lists every scenario in the order in which they are documented.
func Scenarios() []scenario.Info { return scenario.All() }
