// The plugins of a client while it is made. What they throw is logged.
using System;
using System.Collections.Generic;
using Microsoft.Extensions.Logging;

namespace Flagstone;

internal sealed class PluginList(FlagstoneOptions options, ILogger logger)
{
    private readonly Plugin[] _plugins = options.Plugins is null ? [] : [.. options.Plugins];

    // Made for those who want it: it asks the library for its version.
    private readonly Lazy<EnvironmentMetadata> _metadata = new(() => new EnvironmentMetadata(options));

    /// <summary>The hooks of the options, then those of each plugin.</summary>
    internal List<Hook> Hooks()
    {
        List<Hook> hooks = options.Hooks is null ? [] : [.. options.Hooks];
        foreach (Plugin plugin in _plugins)
        {
            Guard(plugin, nameof(Plugin.GetHooks), () =>
            {
                foreach (Hook hook in plugin.GetHooks(_metadata.Value) ?? [])
                {
                    hooks.Add(hook ?? throw new InvalidOperationException("one of its hooks is null"));
                }
            });
        }
        return hooks;
    }

    internal void Register(FlagstoneClient client)
    {
        foreach (Plugin plugin in _plugins)
        {
            Guard(plugin, nameof(Plugin.Register), () => plugin.Register(client, _metadata.Value));
        }
    }

    private void Guard(Plugin plugin, string stage, Action action)
    {
#pragma warning disable CA1031 // see above
        try
        {
            action();
        }
        catch (Exception error)
        {
            Log.PluginThrew(logger, error, plugin.Metadata.Name, stage);
        }
#pragma warning restore CA1031
    }
}
