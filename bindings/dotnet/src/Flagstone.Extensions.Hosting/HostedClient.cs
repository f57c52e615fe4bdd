// A registered client, and how far its host is with it.
using System;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;

namespace Flagstone.Extensions.Hosting;

internal sealed class HostedClient(string name)
{
    /// <summary>The tag with the name of a client, where there are several.</summary>
    internal const string Tag = "flagstone.client";

    private readonly Stopwatch _starting = new();

    /// <summary>Empty for the one without a name.</summary>
    internal string Name => name;

    /// <summary>For messages.</summary>
    internal string Title => name.Length == 0 ? "Flagstone" : $"Flagstone ({name})";

    /// <summary>How long the host has been starting it; null while it does not.</summary>
    internal TimeSpan? Starting => _starting.IsRunning ? _starting.Elapsed : null;

    /// <summary>The client, once its host has begun to start it.</summary>
    internal FlagstoneClient? Client { get; private set; }

    /// <summary>Makes it, and notes that its start begins.</summary>
    internal FlagstoneClient Begin(IServiceProvider services)
    {
        Client = name.Length == 0
            ? services.GetRequiredService<FlagstoneClient>()
            : services.GetRequiredKeyedService<FlagstoneClient>(name);
        _starting.Start();
        return Client;
    }

    /// <summary>Its start has ended.</summary>
    internal void End() => _starting.Stop();
}
