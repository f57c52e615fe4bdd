// How Redis tells of changes: what the library says as JSON, read as in RedisStatus.
using System.Collections.Generic;
using System.Text.Json;

namespace Flagstone;

/// <summary>How Redis tells of changes at one moment.</summary>
public sealed class WatchStatus
{
    internal WatchStatus(JsonElement form)
    {
        Rung = StatusForm.Text(form, "rung");
        Reason = StatusForm.Text(form, "reason");
        Ladder = StatusForm.Objects(form, "ladder", static rung => new WatchRungStatus(rung));
    }

    /// <summary>
    /// <c>hash-field notifications</c>, <c>RESP3 broadcast tracking</c>, <c>RESP2 tracking with redirect</c> or
    /// <c>keyspace notifications</c>; null while it tells nothing.
    /// </summary>
    public string? Rung { get; }

    /// <summary>Why no better one is in force; null with the best one.</summary>
    public string? Reason { get; }

    /// <summary>All of them, the best first.</summary>
    public IReadOnlyList<WatchRungStatus> Ladder { get; }

    /// <summary>Rung and reason in one line, for people.</summary>
    /// <returns>The line.</returns>
    public override string ToString() => Reason is null ? Rung ?? "nothing" : $"{Rung ?? "nothing"} ({Reason})";
}

/// <summary>One way to hear of changes, and what became of it.</summary>
public sealed class WatchRungStatus
{
    internal WatchRungStatus(JsonElement form)
    {
        Rung = StatusForm.Text(form, "rung") ?? "";
        State = StatusForm.Text(form, "state") ?? "";
        Reason = StatusForm.Text(form, "reason");
    }

    /// <summary>Its name.</summary>
    public string Rung { get; }

    /// <summary><c>in force</c>, <c>refused</c>, <c>lost</c>, <c>not needed</c> or <c>not tried</c>.</summary>
    public string State { get; }

    /// <summary>Why; null when there is nothing to say.</summary>
    public string? Reason { get; }

    /// <summary>All of it, for people.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Reason is null ? $"{Rung}: {State}" : $"{Rung}: {State} ({Reason})";
}
