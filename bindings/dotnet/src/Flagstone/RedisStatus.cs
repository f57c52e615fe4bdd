// Where Redis is, who logs in there, and how it tells of changes: what the library says as JSON. A library that is older or newer
// than this package says less or more: what is missing counts as not set, and further words stand as they are.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;

namespace Flagstone;

/// <summary>Where Redis is at one moment.</summary>
public sealed class RedisStatus
{
    internal RedisStatus(JsonElement form)
    {
        Topology = StatusForm.Text(form, "topology") ?? "";
        Address = StatusForm.Text(form, "address");
        Database = StatusForm.Number(form, "database") ?? 0;
        Role = StatusForm.Text(form, "role");
        Service = StatusForm.Text(form, "service");
        Sentinels = StatusForm.Objects(form, "sentinels", static sentinel => new SentinelStatus(sentinel));
        AskedSentinel = StatusForm.Text(form, "asked");
        Nodes = StatusForm.Objects(form, "nodes", static node => new RedisNodeStatus(node));
        Credentials = StatusForm.IsObject(form, "credentials", out JsonElement credentials)
            ? new RedisCredentialsStatus(credentials)
            : null;
    }

    /// <summary><c>standalone</c>, <c>sentinel</c> or <c>cluster</c>.</summary>
    public string Topology { get; }

    /// <summary>Address of the server that is read; null while that is not known, and in a cluster where there are several.</summary>
    public string? Address { get; }

    /// <summary>Number of the database.</summary>
    public long Database { get; }

    /// <summary>Whether that server is a <c>primary</c> or a <c>replica</c>, where sentinels say so; otherwise null.</summary>
    public string? Role { get; }

    /// <summary>What sentinels are asked for; otherwise null.</summary>
    public string? Service { get; }

    /// <summary>The sentinels; otherwise none.</summary>
    public IReadOnlyList<SentinelStatus> Sentinels { get; }

    /// <summary>The sentinel whose word counted last; otherwise null.</summary>
    public string? AskedSentinel { get; }

    /// <summary>The servers of a cluster that are in use; otherwise none.</summary>
    public IReadOnlyList<RedisNodeStatus> Nodes { get; }

    /// <summary>Who logs in; null where nobody does.</summary>
    public RedisCredentialsStatus? Credentials { get; }

    /// <summary>All of it in one line, for people.</summary>
    /// <returns>The line.</returns>
    public override string ToString()
    {
        string address = Nodes.Count > 0 ? string.Join(", ", Nodes) : Address ?? "an address that is not known";
        string?[] words = [Topology, Service, "at", Role, address];
        string where = string.Join(" ", words.Where(static word => !string.IsNullOrEmpty(word)));
        string sentinels = Sentinels.Count > 0 ? $"; sentinels {string.Join(", ", Sentinels)}" : "";
        string credentials = Credentials is null ? "" : $"; {Credentials}";
        return FormattableString.Invariant($"{where}, database {Database}{sentinels}{credentials}");
    }
}

/// <summary>One of the sentinels that are asked.</summary>
public sealed class SentinelStatus
{
    internal SentinelStatus(JsonElement form)
    {
        Address = StatusForm.Text(form, "address") ?? "";
        Error = StatusForm.Text(form, "error");
        // An older library has no others.
        IsListed = !form.TryGetProperty("listed", out JsonElement listed) || listed.ValueKind != JsonValueKind.False;
    }

    /// <summary>Its address.</summary>
    public string Address { get; }

    /// <summary>Whether the address of Redis names it; others were found by those.</summary>
    public bool IsListed { get; }

    /// <summary>Why it was of no use when it was asked last; null when it was.</summary>
    public string? Error { get; }

    /// <summary>Address and error, for people.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Error is null ? Address : $"{Address}: {Error}";
}

/// <summary>A server of a cluster that is in use.</summary>
public sealed class RedisNodeStatus
{
    internal RedisNodeStatus(JsonElement form)
    {
        Address = StatusForm.Text(form, "address") ?? "";
        Role = StatusForm.Text(form, "role");
        Holds = StatusForm.Texts(form, "holds");
    }

    /// <summary>Its address.</summary>
    public string Address { get; }

    /// <summary><c>primary</c> or <c>replica</c>; null when that is not known.</summary>
    public string? Role { get; }

    /// <summary>What of the data set it has: <c>features</c>, <c>segments</c>, <c>$inited</c>.</summary>
    public IReadOnlyList<string> Holds { get; }

    /// <summary>All of it, for people.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Address} ({string.Join(", ", Role is null ? Holds : Holds.Prepend(Role))})";
}

/// <summary>Who logs in at Redis, and for how long that holds; never the password.</summary>
public sealed class RedisCredentialsStatus
{
    internal RedisCredentialsStatus(JsonElement form)
    {
        Source = StatusForm.Text(form, "source") ?? "";
        User = StatusForm.Text(form, "user");
        ExpiresIn = StatusForm.Span(form, "expires_in_ms");
        State = StatusForm.Text(form, "state") ?? "";
        Error = StatusForm.Text(form, "error");
    }

    /// <summary>
    /// Where they come from: <c>static</c> (the options), <c>host</c> (<see cref="FlagstoneOptions.RedisCredentialsProvider"/> or
    /// <see cref="FlagstoneClient.SetRedisCredentials(RedisCredentials)"/>), <c>file</c>
    /// (<see cref="FlagstoneOptions.RedisPasswordFile"/>) or <c>aws-iam</c>.
    /// </summary>
    public string Source { get; }

    /// <summary>Null for the default user.</summary>
    public string? User { get; }

    /// <summary>Null when that is not known.</summary>
    public TimeSpan? ExpiresIn { get; }

    /// <summary><c>ok</c>, <c>untried</c>, <c>expired</c>, <c>refused</c> or <c>missing</c>.</summary>
    public string State { get; }

    /// <summary>Why there are none, or they were refused; otherwise null.</summary>
    public string? Error { get; }

    /// <summary>All of it, for people.</summary>
    /// <returns>The text.</returns>
    public override string ToString()
    {
        string expires = ExpiresIn is TimeSpan time ? FormattableString.Invariant($", expire in {time.TotalSeconds:F0} s") : "";
        string error = Error is null ? "" : $" ({Error})";
        return $"credentials ({Source}) of {User ?? "the default user"}: {State}{expires}{error}";
    }
}
