// Flags under a prefix of their own, and clients that read them.
using System;
using System.Collections.Generic;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;

namespace Flagstone.Tests.Support;

/// <summary>An environment on a server; its clients are closed with it.</summary>
public sealed class TestEnvironment : IDisposable
{
    private static int s_number;

    private readonly List<FlagstoneClient> _clients = [];

    internal TestEnvironment(RedisServer server) => Server = server;

    internal RedisServer Server { get; }

    internal string Prefix { get; } = $"env{Interlocked.Increment(ref s_number)}";

    /// <summary>Writes flags and marks the data set as complete.</summary>
    internal void Write(params (string Key, string Json)[] flags)
    {
        Dictionary<string, string> items = [];
        foreach ((string key, string json) in flags)
        {
            items[key] = json;
        }
        Server.Write(Prefix, items);
    }

    /// <summary>Version of a flag that Redis holds, deleted or not; null when it holds none.</summary>
    internal long? Version(string key)
    {
        if (Server.Command("HGET", $"{Prefix}:features", key) is not string json)
        {
            return null;
        }
        using JsonDocument item = JsonDocument.Parse(json);
        return item.RootElement.GetProperty("version").GetInt64();
    }

    internal FlagstoneOptions Options(Action<FlagstoneOptions>? change = null)
    {
        FlagstoneOptions options = new()
        {
            RedisUrl = Server.Url,
            RedisPrefix = Prefix,
            // A server that a busy machine keeps from answering for a while is not away.
            RedisConnectTimeoutMs = 15_000,
            RedisCommandTimeoutMs = 15_000,
        };
        change?.Invoke(options);
        return options;
    }

    /// <summary>A client that is ready, and has told so.</summary>
    internal async Task<FlagstoneClient> StartAsync(Action<FlagstoneOptions>? change = null)
    {
        FlagstoneClient client = new(Options(change));
        _clients.Add(client);
        TimeSpan patience = TimeSpan.FromSeconds(30);
        if (!await client.StartAsync(patience) || !await client.WaitAsync(DataSourceState.Valid, patience))
        {
            throw new TimeoutException($"not ready: {client.GetStatus().LastError}");
        }
        return client;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (FlagstoneClient client in _clients)
        {
            client.Dispose();
        }
    }
}
