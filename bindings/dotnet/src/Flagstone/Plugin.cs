// What somebody else adds to a client, for example a supplier of traces: hooks, and whatever it does with the client.
using System;
using System.Collections.Generic;

namespace Flagstone;

/// <summary>
/// An addition to clients. Set by <see cref="FlagstoneOptions.Plugins"/>. What it throws is logged, and keeps no client from
/// being made.
/// </summary>
public abstract class Plugin
{
    /// <summary>For derived plugins.</summary>
    /// <param name="name">A name for log lines.</param>
    protected Plugin(string name) => Metadata = new PluginMetadata(name ?? throw new ArgumentNullException(nameof(name)));

    /// <summary>What is known about this plugin.</summary>
    public PluginMetadata Metadata { get; }

    /// <summary>
    /// Hooks that it adds to a client, behind those of <see cref="FlagstoneOptions.Hooks"/>; called once while the client is made.
    /// </summary>
    /// <param name="metadata">About the client.</param>
    /// <returns>The hooks; null is none.</returns>
    public virtual IReadOnlyList<Hook>? GetHooks(EnvironmentMetadata metadata) => null;

    /// <summary>Called once, at the end of the client's constructor: it has not been started.</summary>
    /// <param name="client">The client.</param>
    /// <param name="metadata">About it.</param>
    public abstract void Register(IFlagstoneClient client, EnvironmentMetadata metadata);
}

/// <summary>What is known about a plugin.</summary>
public sealed class PluginMetadata
{
    internal PluginMetadata(string name) => Name = name;

    /// <summary>Its name.</summary>
    public string Name { get; }
}

/// <summary>What plugins are told about a client.</summary>
public sealed class EnvironmentMetadata
{
    internal EnvironmentMetadata(FlagstoneOptions options)
    {
        SdkKey = options.SdkKey;
        Sdk = new SdkMetadata(options);
        Application = new ApplicationMetadata(options);
    }

    /// <summary>The package.</summary>
    public SdkMetadata Sdk { get; }

    /// <summary>The SDK key, which is a secret; null without one.</summary>
    public string? SdkKey { get; }

    /// <summary>The application, as the options name it.</summary>
    public ApplicationMetadata Application { get; }
}

/// <summary>This package, as plugins are told.</summary>
public sealed class SdkMetadata
{
    internal SdkMetadata(FlagstoneOptions options)
    {
        Version = FlagstoneLibrary.Version;
        WrapperName = options.WrapperName;
        WrapperVersion = options.WrapperVersion;
    }

    /// <summary>Its name: <c>flagstone-dotnet</c>.</summary>
    public string Name { get; } = "flagstone-dotnet";

    /// <summary>Its version.</summary>
    public string Version { get; }

    /// <summary>See <see cref="FlagstoneOptions.WrapperName"/>; null without one.</summary>
    public string? WrapperName { get; }

    /// <summary>See <see cref="FlagstoneOptions.WrapperVersion"/>; null without one.</summary>
    public string? WrapperVersion { get; }
}

/// <summary>The application, as the options name it; what they do not name is null.</summary>
public sealed class ApplicationMetadata
{
    internal ApplicationMetadata(FlagstoneOptions options)
    {
        Id = options.ApplicationId;
        Name = options.ApplicationName;
        Version = options.ApplicationVersion;
        VersionName = options.ApplicationVersionName;
    }

    /// <summary>See <see cref="FlagstoneOptions.ApplicationId"/>.</summary>
    public string? Id { get; }

    /// <summary>See <see cref="FlagstoneOptions.ApplicationName"/>.</summary>
    public string? Name { get; }

    /// <summary>See <see cref="FlagstoneOptions.ApplicationVersion"/>.</summary>
    public string? Version { get; }

    /// <summary>See <see cref="FlagstoneOptions.ApplicationVersionName"/>.</summary>
    public string? VersionName { get; }
}
