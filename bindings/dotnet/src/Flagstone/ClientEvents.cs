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

/// <summary>The condition of the data source or of the store changed.</summary>
public sealed class StatusChangedEventArgs : EventArgs
{
    internal StatusChangedEventArgs(DataSourceState state, string reason, DataSourceStatus? dataSource, DataStoreStatus store)
    {
        State = state;
        Reason = reason;
        DataSource = dataSource;
        Store = store;
    }

    /// <summary>State of the client from this change on; a later one may be in force already.</summary>
    public DataSourceState State { get; }

    /// <summary>Why, for people.</summary>
    public string Reason { get; }

    /// <summary>Where the flags come from, from this change on; null in daemon mode, which has no source but Redis.</summary>
    public DataSourceStatus? DataSource { get; }

    /// <summary>Where the flags are kept, from this change on.</summary>
    public DataStoreStatus Store { get; }
}
