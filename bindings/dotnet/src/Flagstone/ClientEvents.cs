// What the events of a client hand to their handlers.
using System;

namespace Flagstone;

/// <summary>A flag, or something it depends on, changed.</summary>
public sealed class FlagChangedEventArgs : EventArgs
{
    internal FlagChangedEventArgs(string key, long? oldVersion, long? newVersion)
    {
        Key = key;
        OldVersion = oldVersion;
        NewVersion = newVersion;
    }

    /// <summary>Key of the flag.</summary>
    public string Key { get; }

    /// <summary>Version held before; null when the flag was not held.</summary>
    public long? OldVersion { get; }

    /// <summary>Version held now; null when the flag is gone. Equal to the old one when only a dependency changed.</summary>
    public long? NewVersion { get; }
}

/// <summary>The state of a client changed.</summary>
public sealed class StatusChangedEventArgs : EventArgs
{
    internal StatusChangedEventArgs(DataSourceStatus dataSource, DataStoreStatus store)
    {
        DataSource = dataSource;
        Store = store;
    }

    /// <summary>Where the flags come from. The state is the one of this change; a later one may be in force already.</summary>
    public DataSourceStatus DataSource { get; }

    /// <summary>Where the flags are kept, at the time of the call; after close: as last known.</summary>
    public DataStoreStatus Store { get; }
}
